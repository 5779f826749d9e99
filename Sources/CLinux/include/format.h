/* Numbers as text; inlined into Swift. */
#ifndef CLINUX_FORMAT_H
#define CLINUX_FORMAT_H

/* Eight hexadecimal digits, each in a byte of its own, the first one in the lowest. */
static inline unsigned long kmesh_hexadecimal(unsigned int number)
{
	const unsigned long ones = 0x0101010101010101;
	unsigned long digits = __builtin_bswap32(number), letters;

	digits = (digits << 16 | digits) & 0x0000ffff0000ffff;
	digits = (digits << 8 | digits) & 0x00ff00ff00ff00ff;
	digits = (digits << 8 | digits >> 4) & 15 * ones;
	letters = (digits + 6 * ones) >> 4 & ones;
	return digits + '0' * ones + letters * ('a' - '0' - 10);
}

#define KMESH_UUID_LENGTH 36

static inline void kmesh_write_uuid(unsigned char *to, unsigned long high, unsigned long low)
{
	unsigned long digits[4] = {
		kmesh_hexadecimal((unsigned int)(high >> 32)),
		kmesh_hexadecimal((unsigned int)high),
		kmesh_hexadecimal((unsigned int)(low >> 32)),
		kmesh_hexadecimal((unsigned int)low),
	};
	const unsigned char *from = (const unsigned char *)digits;

	__builtin_memcpy(to, from, 8);
	to[8] = '-';
	__builtin_memcpy(to + 9, from + 8, 4);
	to[13] = '-';
	__builtin_memcpy(to + 14, from + 12, 4);
	to[18] = '-';
	__builtin_memcpy(to + 19, from + 16, 4);
	to[23] = '-';
	__builtin_memcpy(to + 24, from + 20, 12);
}

#define KMESH_IPV4_ROOM 16

/* Returns the length of the text. Writes up to KMESH_IPV4_ROOM bytes. */
static inline long kmesh_write_ipv4(unsigned char *to, unsigned int address)
{
	unsigned char *at = to;

	for (int shift = 24; shift >= 0; shift -= 8) {
		unsigned int octet = address >> shift & 255;

		if (octet >= 100)
			*at++ = '0' + octet / 100;
		if (octet >= 10)
			*at++ = '0' + octet / 10 % 10;
		*at++ = '0' + octet % 10;
		*at++ = '.';
	}
	return at - to - 1;
}

#endif
