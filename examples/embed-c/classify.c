/* One image through a compiled spiking network, in the program's own memory.
 *
 *     classify MODEL.lasnn < image-bytes
 *
 * The image is raw unsigned bytes [C][H][W]. Exit: 0 answered, 1 something is wrong with model or image. */
#include <lasnn/lasnn.h>

#include <stdalign.h>
#include <stdio.h>

/* The runtime works in memory that we give it and never asks for more. A firmware would size this at build time. */
static alignas(64) unsigned char arena[4 << 20];
static uint8_t image[1 << 16];
static int32_t output[1024];

static int complain(const char *what, const char *why) {
  fprintf(stderr, "classify: %s: %s\n", what, why);
  return 1;
}

static void print_answer(const lasnn_network_info *info) {
  size_t best = 0;
  for (size_t i = 1; i < info->output_count; ++i)
    if (output[i] > output[best]) best = i;
  printf("class %zu   ISA %s, T = %u\n", best, lasnn_isa_name(info->isa), (unsigned)info->timesteps);
  for (size_t i = 0; i < info->output_count; ++i)
    printf("  %2zu  %8.3f%s\n", i, output[i] * info->output_scale, i == best ? "  <" : "");
}

static void print_activity(const lasnn_network *network, const lasnn_network_info *info) {
  for (uint32_t layer = 0; layer < info->layer_count; ++layer) {
    lasnn_layer_stats stats;
    if (lasnn_get_layer_stats(network, layer, &stats) != LASNN_OK || stats.neurons == 0 || stats.steps == 0) continue;
    printf("  %-12s %6llu neurons  %6llu spikes  %9llu synaptic operations\n", stats.tensor.name,
           (unsigned long long)stats.neurons, (unsigned long long)stats.spikes, (unsigned long long)stats.synops);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: classify MODEL.lasnn < image-bytes\n");
    return 2;
  }
  char error[256] = "";
  lasnn_options options = {.size = sizeof options, .isa = LASNN_ISA_AUTO, .arena = arena, .arena_size = sizeof arena};
  lasnn_network *network = NULL;
  if (lasnn_create_from_file(argv[1], &options, &network, error, sizeof error) != LASNN_OK) return complain(argv[1], error);

  lasnn_network_info info;
  lasnn_get_info(network, &info);
  if (info.input_size > sizeof image || info.output_count > sizeof output / sizeof *output)
    return complain(argv[1], "larger than this example has room for");
  if (fread(image, 1, info.input_size, stdin) != info.input_size)
    return complain("standard input", "fewer bytes than the network's input has");

  if (lasnn_run(network, image, info.input_size, output, info.output_count) != LASNN_OK)
    return complain("run", lasnn_get_error(network));
  print_answer(&info);
  print_activity(network, &info);
  lasnn_destroy(network);
  return 0;
}
