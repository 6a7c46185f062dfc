find_package(CUDAToolkit QUIET)
if(NOT CUDAToolkit_FOUND)
  list(APPEND lasnn_missing CUDAToolkit)
endif()
