# From a planned network to a `.lasnn` for GPUs: programs, code, bytes. Needs no MLIR, so the runtime's tests build it alone.
include(${CMAKE_CURRENT_LIST_DIR}/program.cmake)
if(NOT TARGET lasnn_cuda_writer)
  add_library(lasnn_cuda_writer STATIC ${CMAKE_CURRENT_LIST_DIR}/compile.cpp ${CMAKE_CURRENT_LIST_DIR}/write_lasnn.cpp ${CMAKE_CURRENT_LIST_DIR}/../lasnn_file.cpp)
  target_include_directories(lasnn_cuda_writer PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(lasnn_cuda_writer PUBLIC lasnn_cuda_program PRIVATE lasnn_format lasnn_options PUBLIC lasnn::runtime)
endif()
