#if defined(FI_TARGET) && defined(FI_X86_64) && defined(__clang__)
#pragma clang attribute pop
#endif
