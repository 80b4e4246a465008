/* baseline.c - the kernels for any processor of the kind compiled for: SSE2 on x86-64, NEON on aarch64 (16 bytes). */
#include "core.h"
#include "table.h"

#define ISA baseline
#define VECTOR_BYTES 16
#include "kernels.c"
