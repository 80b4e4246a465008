/* baseline.c - the kernels for every processor of the architecture: SSE2 on x86-64, NEON on aarch64
 * (registers of 16 bytes). */
#include "core.h"
#include "table.h"

#define ISA baseline
#define VECTOR_BYTES 16
#include "kernels.c"
