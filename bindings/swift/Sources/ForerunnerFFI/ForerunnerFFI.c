// The package manager wants a source beside a header. All of it is in the library.
#include "ForerunnerFFI.h"
