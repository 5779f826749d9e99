/* Searching in bytes from the network; inlined into Swift. */
#ifndef CLINUX_SCAN_H
#define CLINUX_SCAN_H

typedef unsigned char kmesh_lane __attribute__((vector_size(16), aligned(1)));

/* The number of the first byte of `found` that is not 0, which are 0 or 255; 16 without one. */
static inline long kmesh_first_byte(kmesh_lane found)
{
#ifdef __SSE2__
	typedef char signed_lane __attribute__((vector_size(16)));
	int mask = __builtin_ia32_pmovmskb128((signed_lane)found);

	return mask ? __builtin_ctz(mask) : 16;
#else
	unsigned long halves[2];

	__builtin_memcpy(halves, &found, sizeof(halves));
	if (halves[0])
		return __builtin_ctzl(halves[0]) / 8;
	return halves[1] ? 8 + __builtin_ctzl(halves[1]) / 8 : 16;
#endif
}

static inline kmesh_lane kmesh_lane_of(unsigned char byte)
{
	return (kmesh_lane){} + byte;
}

/* The offset of the first `byte` in bytes[from..<count], or `count`. At half the cost of a loop. */
static inline long kmesh_find_byte(const unsigned char *bytes, long from, long count, unsigned char byte)
{
	const kmesh_lane wanted = kmesh_lane_of(byte);
	long at = from;

	for (; at + 16 <= count; at += 16) {
		long first = kmesh_first_byte((kmesh_lane)(*(const kmesh_lane *)(bytes + at) == wanted));

		if (first < 16)
			return at + first;
	}
	for (; at < count; at++)
		if (bytes[at] == byte)
			return at;
	return count;
}

static inline long kmesh_find_line_feed(const unsigned char *bytes, long from, long count)
{
	return kmesh_find_byte(bytes, from, count, '\n');
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

/*
 * The offset of the first byte of bytes[from..<end] that is not in all of `sets`, or `end`. There are `count`
 * bytes. Letters, digits, dashes and dots, which are in every set, go by sixteen.
 */
static inline long kmesh_end_of_class(const unsigned char *bytes, long from, long end, long count,
				      unsigned char sets)
{
	while (from + 16 <= count) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + from);
		kmesh_lane letters = (lane | 0x20) - (unsigned char)'a' < 26;
		kmesh_lane digits = lane - (unsigned char)'0' < 10;
		kmesh_lane marks = lane - (unsigned char)'-' < 2;
		long first = kmesh_first_byte(~(letters | digits | marks));

		from += first;
		if (first < 16)
			break;
	}
	while (from < end && kmesh_byte_classes[bytes[from]] & sets)
		from++;
	return from < end ? from : end;
}

/* The offset of the first byte of bytes[from..<count] that no request target has, or `count`. */
static inline long kmesh_end_of_target(const unsigned char *bytes, long from, long count)
{
	for (; from + 16 <= count; from += 16) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + from);
		kmesh_lane hidden = lane - (unsigned char)'!' > '~' - '!';
		long first = kmesh_first_byte(hidden | (kmesh_lane)(lane == '#'));

		if (first < 16)
			return from + first;
	}
	while (from < count && kmesh_byte_classes[bytes[from]] & KMESH_BYTE_TARGET)
		from++;
	return from;
}

/* The offset of the first control byte of bytes[from..<count], tabs apart, or `count`. */
static inline long kmesh_find_control(const unsigned char *bytes, long from, long count)
{
	long at = from;

	for (; at + 16 <= count; at += 16) {
		kmesh_lane lane = *(const kmesh_lane *)(bytes + at);
		kmesh_lane low = lane < ' ' & lane != '\t';
		long first = kmesh_first_byte(low | (kmesh_lane)(lane == 0x7f));

		if (first < 16)
			return at + first;
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
