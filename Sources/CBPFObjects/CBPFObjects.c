/* The objects are in the source that the CompileBPF plugin writes; a target needs one of its own. */
#include "CBPFObjects.h"
