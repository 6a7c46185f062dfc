# The `.lasnn` writer: plan.h to bytes. Needs no MLIR, so the runtime's tests build it alone.
if(NOT TARGET lasnn_x86_writer)
  add_library(lasnn_x86_writer STATIC ${CMAKE_CURRENT_LIST_DIR}/write_lasnn.cpp ${CMAKE_CURRENT_LIST_DIR}/pack_weights.cpp
    ${CMAKE_CURRENT_LIST_DIR}/../lasnn_file.cpp)
  target_include_directories(lasnn_x86_writer PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(lasnn_x86_writer PRIVATE lasnn_format lasnn_options PUBLIC lasnn::runtime)
endif()
