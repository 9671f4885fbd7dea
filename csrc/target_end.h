#if defined(FI_TARGET) && defined(FI_AVX) && defined(__clang__)
#pragma clang attribute pop
#endif
