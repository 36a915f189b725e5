/* SPDX-License-Identifier: MIT */
#include "codec/dot.h"
