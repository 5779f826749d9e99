#include "scan.h"

/* Made of RFC 9110 section 5.6.2 (tokens), and of what hosts and targets consist of here. */
#define TOKEN KMESH_BYTE_TOKEN
#define TARGET KMESH_BYTE_TARGET
#define HOST KMESH_BYTE_HOST

const unsigned char kmesh_byte_classes[256] = {
	['!'] = TOKEN | TARGET,
	['"'] = TARGET,
	['#'] = TOKEN,
	['$' ... '\''] = TOKEN | TARGET,
	['(' ... ')'] = TARGET,
	['*' ... '+'] = TOKEN | TARGET,
	[','] = TARGET,
	['-' ... '.'] = TOKEN | TARGET | HOST,
	['/'] = TARGET,
	['0' ... '9'] = TOKEN | TARGET | HOST,
	[':' ... '@'] = TARGET,
	['A' ... 'Z'] = TOKEN | TARGET | HOST,
	['[' ... ']'] = TARGET,
	['^'] = TOKEN | TARGET,
	['_'] = TOKEN | TARGET | HOST,
	['`'] = TOKEN | TARGET,
	['a' ... 'z'] = TOKEN | TARGET | HOST,
	['{'] = TARGET,
	['|'] = TOKEN | TARGET,
	['}'] = TARGET,
	['~'] = TOKEN | TARGET | HOST,
};
