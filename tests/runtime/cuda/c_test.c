/* The header is C, and the library links without C++: what a program finds on a machine without a GPU. */
#include "lasnn/cuda.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  char error[256] = "";
  int count = -1;
  if (argc != 2 || lasnn_cuda_available(argv[1], &count, error, sizeof error) != LASNN_NO_DEVICE || count != 0 || strstr(error, argv[1]) == NULL) {
    fprintf(stderr, "available: %s\n", error);
    return 1;
  }
  lasnn_cuda_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  lasnn_cuda_session *session = NULL;
  if (lasnn_cuda_create(NULL, 0, &options, &session, error, sizeof error) != LASNN_INVALID_ARGUMENT || session != NULL) return 1;
  lasnn_cuda_destroy(NULL);
  return strcmp(lasnn_cuda_get_error(NULL), "") == 0 && strcmp(lasnn_cuda_launch_name(NULL, 0), "") == 0 ? 0 : 1;
}
