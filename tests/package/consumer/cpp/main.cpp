#include <lasnn/lasnn.h>

#include <cstdio>
#include <memory>
#include <vector>

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  char error[256];
  lasnn_network *raw = nullptr;
  if (lasnn_create_from_file(argv[1], nullptr, &raw, error, sizeof error) != LASNN_OK) {
    std::fprintf(stderr, "%s\n", error);
    return 1;
  }
  const std::unique_ptr<lasnn_network, decltype(&lasnn_destroy)> net(raw, lasnn_destroy);
  lasnn_network_info info;
  lasnn_get_info(net.get(), &info);
  const std::vector<uint8_t> input(info.input_size, 1);
  std::vector<int32_t> output(info.output_count);
  if (lasnn_run(net.get(), input.data(), input.size(), output.data(), output.size()) != LASNN_OK) return 1;
  std::printf("output %d\n", int(output[0]));
  return 0;
}
