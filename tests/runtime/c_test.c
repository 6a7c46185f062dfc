/* The header comes first and alone: it must need nothing before it, in C11 -pedantic. */
#include "lasnn/lasnn.h"

#include <stdio.h>

int main(void) {
  char error[64] = "x";
  size_t size = 0;
  lasnn_network *net = NULL;
  lasnn_options options = {sizeof(lasnn_options), LASNN_ISA_SCALAR, NULL, 0};
  if (lasnn_arena_size(NULL, 0, &size, error, sizeof error) != LASNN_INVALID_ARGUMENT || error[0] == 0) return 1;
  if (lasnn_create_from_file("/no/such/file", &options, &net, error, sizeof error) != LASNN_IO) return 2;
  if (net != NULL || !lasnn_isa_available(LASNN_ISA_SCALAR)) return 3;
  printf("lasnn %s, %s\n", lasnn_version(), lasnn_status_name(LASNN_IO));
  return 0;
}
