# lasnn-opt: passes by their flags, for tests and for looking at what one pass does
add_executable(lasnn-opt ${CMAKE_CURRENT_LIST_DIR}/lasnn_opt.cpp)
target_link_libraries(lasnn-opt PRIVATE lasnn_passes lasnn_options)
