internal import Glibc

/// Outside of the C library's own module the name would clash with logging.
func naturalLogarithm(_ value: Double) -> Double { Glibc.log(value) }
