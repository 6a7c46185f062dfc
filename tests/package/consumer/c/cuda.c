/* Links the GPU runtime; on a machine without a GPU it finds out when it asks. */
#include <lasnn/cuda.h>
#include <stdio.h>

int main(int argc, char **argv) {
  char error[256] = "";
  int count = 0;
  if (argc != 2) return 2;
  lasnn_status status = lasnn_cuda_available(argv[1], &count, error, sizeof error);
  printf("%s\n", lasnn_status_name(status));
  return status == LASNN_NO_DEVICE && error[0] != 0 ? 0 : 1;
}
