#include <lasnn/lasnn.h>
#include <stdio.h>

int main(int argc, char **argv) {
  char error[256];
  lasnn_network *net = NULL;
  const uint8_t input[2] = {1, 1};
  int32_t output = 0;
  if (argc != 2) return 2;
  if (lasnn_create_from_file(argv[1], NULL, &net, error, sizeof error) != LASNN_OK) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  if (lasnn_run(net, input, sizeof input, &output, 1) != LASNN_OK) {
    fprintf(stderr, "%s\n", lasnn_get_error(net));
    return 1;
  }
  lasnn_destroy(net);
  printf("output %d\n", (int)output);
  return 0;
}
