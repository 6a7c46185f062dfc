// All kernels.
#pragma once

#include "dense.h"
#include "depthwise.h"
#include "event.h"
#include "simple.h"
#include "skip.h"
#include "split.h"
