/* Searching in bytes from the network; inlined into Swift. */
#ifndef CLINUX_SCAN_H
#define CLINUX_SCAN_H

typedef char kmesh_lane __attribute__((vector_size(16), aligned(1)));

/* The offset of the first line feed in bytes[from..<count], or `count`. At half the cost of a loop. */
static inline long kmesh_find_line_feed(const unsigned char *bytes, long from, long count)
{
	const kmesh_lane feeds = (kmesh_lane){} + (char)'\n';
	long at = from;

	for (; at + 16 <= count; at += 16) {
		kmesh_lane found = *(const kmesh_lane *)(bytes + at) == feeds;
		long halves[2];

		__builtin_memcpy(halves, &found, sizeof(halves));
		if (halves[0])
			return at + __builtin_ctzl(halves[0]) / 8;
		if (halves[1])
			return at + 8 + __builtin_ctzl(halves[1]) / 8;
	}
	for (; at < count; at++)
		if (bytes[at] == '\n')
			return at;
	return count;
}

/* Sets that a byte is in. */
#define KMESH_BYTE_TOKEN 1 /* names of headers and methods */
#define KMESH_BYTE_TARGET 2 /* request targets: visible, without '#' */
#define KMESH_BYTE_HOST 4 /* names of hosts */

extern const unsigned char kmesh_byte_classes[256];

static inline _Bool kmesh_is_token_byte(unsigned char byte)
{
	return kmesh_byte_classes[byte] & KMESH_BYTE_TOKEN;
}

/* The offset of the first byte of bytes[from..<count] that is not in all of `sets`, or `count`. */
static inline long kmesh_end_of_class(const unsigned char *bytes, long from, long count, unsigned char sets)
{
	while (from < count && kmesh_byte_classes[bytes[from]] & sets)
		from++;
	return from;
}

typedef unsigned char kmesh_unsigned_lane __attribute__((vector_size(16), aligned(1)));

/* The offset of the first control byte of bytes[from..<count], tabs apart, or `count`. */
static inline long kmesh_find_control(const unsigned char *bytes, long from, long count)
{
	const kmesh_unsigned_lane spaces = (kmesh_unsigned_lane){} + (unsigned char)' ';
	const kmesh_unsigned_lane tabs = (kmesh_unsigned_lane){} + (unsigned char)'\t';
	const kmesh_unsigned_lane deletes = (kmesh_unsigned_lane){} + (unsigned char)0x7f;
	long at = from;

	for (; at + 16 <= count; at += 16) {
		kmesh_unsigned_lane lane = *(const kmesh_unsigned_lane *)(bytes + at);
		kmesh_lane found = (kmesh_lane)(((lane < spaces) & (lane != tabs)) | (lane == deletes));
		long halves[2];

		__builtin_memcpy(halves, &found, sizeof(halves));
		if (halves[0])
			return at + __builtin_ctzl(halves[0]) / 8;
		if (halves[1])
			return at + 8 + __builtin_ctzl(halves[1]) / 8;
	}
	for (; at < count; at++)
		if ((bytes[at] < ' ' && bytes[at] != '\t') || bytes[at] == 0x7f)
			return at;
	return count;
}

/* Whether bytes[0..<count] are `lower`, which is in lower case, but for the case of letters. */
static inline _Bool kmesh_equals_ignoring_case(const unsigned char *bytes, const unsigned char *lower,
					       long count)
{
	for (long at = 0; at < count; at++) {
		unsigned char letter = bytes[at] >= 'A' && bytes[at] <= 'Z' ? 0x20 : 0;

		if ((bytes[at] | letter) != lower[at])
			return 0;
	}
	return 1;
}

/*
 * The same for names that are known to be tokens and a `lower` of letters and dashes: no other byte of a
 * token becomes one of these when its bit 5 is set. Eight bytes at a time.
 */
static inline _Bool kmesh_is_name(const unsigned char *bytes, const unsigned char *lower, long count)
{
	const unsigned long letters = 0x2020202020202020;
	unsigned long left, right;
	long at = 0;

	if (count < 8) {
		for (; at < count; at++)
			if ((bytes[at] | 0x20) != lower[at])
				return 0;
		return 1;
	}
	for (; at < count; at += 8) {
		if (at + 8 > count)
			at = count - 8;
		__builtin_memcpy(&left, bytes + at, 8);
		__builtin_memcpy(&right, lower + at, 8);
		if ((left | letters) != right)
			return 0;
	}
	return 1;
}

#endif
