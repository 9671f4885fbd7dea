/* Written by tools/fit_coefficients.py; do not edit. */
/* clang-format off */
#define ALIGNED __attribute__((aligned(64)))

/* The normal quantile over octaves of the tail probability: for t = 2^k (1.5 + x), k = 16..30,
 * P(Z > sum_j c[j] x^j) = (t + 1/2) / 2^32. Column (k - 17) & 15 holds octave k; t = 2^31 gives 0.
 * Worst error 1.7e-07. */
static const float quantile_f[8][16] ALIGNED = {
    {0x1.f4badap+1f, 0x1.dee15ap+1f, 0x1.c81a76p+1f, 0x1.b0465p+1f, 0x1.973d58p+1f, 0x1.7ccd7ap+1f, 0x1.60b5d2p+1f, 0x1.429fdp+1f, 0x1.2213b8p+1f, 0x1.fcc812p+0f, 0x1.ad0a62p+0f, 0x1.516928p+0f, 0x1.c6381p-1f, 0x1.46496p-2f, 0x0p+0f, 0x1.04e08cp+2f},
    {-0x1.49a6bap-3f, -0x1.5715fap-3f, -0x1.663f64p-3f, -0x1.7788ap-3f, -0x1.8b7ac2p-3f, -0x1.a2d3e6p-3f, -0x1.bea45ep-3f, -0x1.e08244p-3f, -0x1.057522p-2f, -0x1.21029cp-2f, -0x1.46b4cap-2f, -0x1.7e5f9ep-2f, -0x1.db8e2ap-2f, -0x1.518e94p-1f, 0x0p+0f, -0x1.3da48ep-3f},
    {0x1.9f3018p-5f, 0x1.ae1832p-5f, 0x1.bea4c2p-5f, 0x1.d12526p-5f, 0x1.e5fddp-5f, 0x1.fdaf1ep-5f, 0x1.0c6f0ep-4f, 0x1.1c2f0ap-4f, 0x1.2e9a9cp-4f, 0x1.444124p-4f, 0x1.5d6a1ap-4f, 0x1.786924p-4f, 0x1.87e448p-4f, 0x1.1bb00cp-4f, 0x0p+0f, 0x1.91ad08p-5f},
    {-0x1.67fb24p-6f, -0x1.74438ap-6f, -0x1.81d464p-6f, -0x1.90e888p-6f, -0x1.a1c9bep-6f, -0x1.b4d59cp-6f, -0x1.ca8436p-6f, -0x1.e37108p-6f, -0x1.003372p-5f, -0x1.1137c4p-5f, -0x1.2577d4p-5f, -0x1.3e1c9ep-5f, -0x1.600e2p-5f, -0x1.d6c27ep-5f, 0x0p+0f, -0x1.5ccbaep-6f},
    {0x1.5f3002p-7f, 0x1.6acdbep-7f, 0x1.77984p-7f, 0x1.85c3c6p-7f, 0x1.959164p-7f, 0x1.a75326p-7f, 0x1.bb71b4p-7f, 0x1.d273fcp-7f, 0x1.ed097ep-7f, 0x1.060baep-6f, 0x1.186338p-6f, 0x1.2e3e6ep-6f, 0x1.477d7ap-6f, 0x1.35cb28p-6f, 0x0p+0f, 0x1.54949ep-7f},
    {-0x1.71ef5ep-8f, -0x1.7de4f2p-8f, -0x1.8b08f6p-8f, -0x1.998ecap-8f, -0x1.a9b61ap-8f, -0x1.bbced6p-8f, -0x1.d03e7ap-8f, -0x1.e7875ep-8f, -0x1.012946p-7f, -0x1.10be5cp-7f, -0x1.231312p-7f, -0x1.38e254p-7f, -0x1.535506p-7f, -0x1.91da2p-7f, 0x0p+0f, -0x1.66fe4ep-8f},
    {0x1.e84582p-9f, 0x1.f7b2ep-9f, 0x1.044eacp-8f, 0x1.0da21ep-8f, 0x1.17fadap-8f, 0x1.2389bp-8f, 0x1.308c5ap-8f, 0x1.3f51bap-8f, 0x1.503fcap-8f, 0x1.63db72p-8f, 0x1.7ad27ep-8f, 0x1.96069ap-8f, 0x1.b684b2p-8f, 0x1.c865dap-8f, 0x0p+0f, 0x1.da213cp-9f},
    {-0x1.16d1cep-9f, -0x1.1f81a2p-9f, -0x1.2904f4p-9f, -0x1.337e74p-9f, -0x1.3f18ccp-9f, -0x1.4c0924p-9f, -0x1.5a927ap-9f, -0x1.6b0a3cp-9f, -0x1.7dde8ap-9f, -0x1.939eacp-9f, -0x1.ad0614p-9f, -0x1.cb0922p-9f, -0x1.eee4eep-9f, -0x1.143712p-8f, 0x0p+0f, -0x1.0ed8e6p-9f},
};
/* Octaves 23..30 again, octave k in column (k - 17) & 7. */
static const float quantile_f8[8][8] ALIGNED = {
    {0x1.2213b8p+1f, 0x1.fcc812p+0f, 0x1.ad0a62p+0f, 0x1.516928p+0f, 0x1.c6381p-1f, 0x1.46496p-2f, 0x1.60b5d2p+1f, 0x1.429fdp+1f},
    {-0x1.057522p-2f, -0x1.21029cp-2f, -0x1.46b4cap-2f, -0x1.7e5f9ep-2f, -0x1.db8e2ap-2f, -0x1.518e94p-1f, -0x1.bea45ep-3f, -0x1.e08244p-3f},
    {0x1.2e9a9cp-4f, 0x1.444124p-4f, 0x1.5d6a1ap-4f, 0x1.786924p-4f, 0x1.87e448p-4f, 0x1.1bb00cp-4f, 0x1.0c6f0ep-4f, 0x1.1c2f0ap-4f},
    {-0x1.003372p-5f, -0x1.1137c4p-5f, -0x1.2577d4p-5f, -0x1.3e1c9ep-5f, -0x1.600e2p-5f, -0x1.d6c27ep-5f, -0x1.ca8436p-6f, -0x1.e37108p-6f},
    {0x1.ed097ep-7f, 0x1.060baep-6f, 0x1.186338p-6f, 0x1.2e3e6ep-6f, 0x1.477d7ap-6f, 0x1.35cb28p-6f, 0x1.bb71b4p-7f, 0x1.d273fcp-7f},
    {-0x1.012946p-7f, -0x1.10be5cp-7f, -0x1.231312p-7f, -0x1.38e254p-7f, -0x1.535506p-7f, -0x1.91da2p-7f, -0x1.d03e7ap-8f, -0x1.e7875ep-8f},
    {0x1.503fcap-8f, 0x1.63db72p-8f, 0x1.7ad27ep-8f, 0x1.96069ap-8f, 0x1.b684b2p-8f, 0x1.c865dap-8f, 0x1.308c5ap-8f, 0x1.3f51bap-8f},
    {-0x1.7dde8ap-9f, -0x1.939eacp-9f, -0x1.ad0614p-9f, -0x1.cb0922p-9f, -0x1.eee4eep-9f, -0x1.143712p-8f, -0x1.5a927ap-9f, -0x1.6b0a3cp-9f},
};
/* The same in double. Worst error 4.3e-16. */
static const double quantile_d[19][16] ALIGNED = {
    {0x1.f4badb07806aap+1, 0x1.dee159aacdaedp+1, 0x1.c81a76691dc9bp+1, 0x1.b046506ee1a22p+1, 0x1.973d580006cdfp+1, 0x1.7ccd7a7bcfa3fp+1, 0x1.60b5d3371745fp+1, 0x1.429fd10125ec6p+1, 0x1.2213b84f44328p+1, 0x1.fcc812e4321cdp+0, 0x1.ad0a62b646433p+0, 0x1.51692980b3f89p+0, 0x1.c63812dfc6552p-1, 0x1.464965b881b0ap-2, 0x0p+0, 0x1.04e08c54f37e8p+2},
    {-0x1.49a6bd9b02e49p-3, -0x1.5715fc3bcd2f7p-3, -0x1.663f68315e0f4p-3, -0x1.7788a28405aa7p-3, -0x1.8b7ac5d9938fbp-3, -0x1.a2d3e96cf6f27p-3, -0x1.bea46235912a6p-3, -0x1.e08247e718f66p-3, -0x1.057523c778adbp-2, -0x1.21029dcda7ca7p-2, -0x1.46b4cbfce9247p-2, -0x1.7e5fa02b9c73dp-2, -0x1.db8e2c3d02031p-2, -0x1.518e9618c6ba3p-1, 0x0p+0, -0x1.3da490c2c687bp-3},
    {0x1.9f25f75146126p-5, 0x1.ae0dc0c689cf6p-5, 0x1.be99f91f07a4dp-5, 0x1.d119fd23eecdep-5, 0x1.e5f23d4e6f4f5p-5, 0x1.fda315fb69064p-5, 0x1.0c68c66b82e47p-4, 0x1.1c28785ef2506p-4, 0x1.2e93b49b1617fp-4, 0x1.4439da3d345d3p-4, 0x1.5d625c3b7dd53p-4, 0x1.7860df30e0d63p-4, 0x1.87db627d80991p-4, 0x1.1ba68ab6a4dp-4, 0x0p+0, 0x1.91a331136fe34p-5},
    {-0x1.67ef2592585ccp-6, -0x1.74372f45a3a2dp-6, -0x1.81c7a28ed5ae7p-6, -0x1.90db55f30a8dp-6, -0x1.a1bc0f4815a03p-6, -0x1.b4c764b72cad8p-6, -0x1.ca7562b6731d2p-6, -0x1.e361870a08ee6p-6, -0x1.002b4e554e8afp-5, -0x1.112f2d08c8e03p-5, -0x1.256eb785ec7eap-5, -0x1.3e12e695cd53fp-5, -0x1.6003ae8530b4p-5, -0x1.d6b710284af3ep-5, 0x0p+0, -0x1.5cc0062acc879p-6},
    {0x1.624e272025758p-7, 0x1.6e0477b959408p-7, 0x1.7ae9df8d5fb1dp-7, 0x1.8932f9ca005b5p-7, 0x1.9921503880c49p-7, 0x1.ab07826520dc1p-7, 0x1.bf4eeffdf72c6p-7, 0x1.d67f71afb9271p-7, 0x1.f149b21b3eb08p-7, 0x1.084a2eafd70eep-6, 0x1.1ac52587da5e5p-6, 0x1.30ca1e706dee9p-6, 0x1.4a3aec3262726p-6, 0x1.38b82c0a27161p-6, 0x0p+0, 0x1.579c2dd1f9196p-7},
    {-0x1.75a002369c063p-8, -0x1.81b2611bb8127p-8, -0x1.8ef5dfb3bbb48p-8, -0x1.9d9e4772d963bp-8, -0x1.adebcf5f85457p-8, -0x1.c02f0c705a8e1p-8, -0x1.d4ce4e6cbcdd7p-8, -0x1.ec4cf4dbb15a4p-8, -0x1.03aaafd3057d3p-7, -0x1.136301379306dp-7, -0x1.25e0b0b29d503p-7, -0x1.3be023fd38a48p-7, -0x1.568c29c00381p-7, -0x1.955eba9aad046p-7, 0x0p+0, -0x1.6a9477849743bp-8},
    {0x1.9b70f8f32424p-9, 0x1.a8801dc67435bp-9, 0x1.b6d3574d66db7p-9, 0x1.c6a0b7ce8bb49p-9, 0x1.d82b0b808adfbp-9, 0x1.ebc5d6f37ad73p-9, 0x1.00ed617fa6766p-8, 0x1.0d788384ea78ap-8, 0x1.1bdbc236926a4p-8, 0x1.2c89222afc135p-8, 0x1.4015bfa4f1cf8p-8, 0x1.574304fdbd7e1p-8, 0x1.72f482c221096p-8, 0x1.804637329dbbfp-8, 0x0p+0, 0x1.8f799159ece73p-9},
    {-0x1.d2c9797987e07p-10, -0x1.e163a1854b33cp-10, -0x1.f162c340aace9p-10, -0x1.0180cf0c4f90ap-9, -0x1.0b4445a9168dcp-9, -0x1.1628dd4f10e2p-9, -0x1.226776d80103cp-9, -0x1.3048a71205384p-9, -0x1.402a117f83fb6p-9, -0x1.52859e42af294p-9, -0x1.67fac7314f64bp-9, -0x1.8159628b03eep-9, -0x1.9faf355cdc1eap-9, -0x1.d1bc888bf3abbp-9, 0x0p+0, -0x1.c563f25d1803cp-10},
    {0x1.0e9cdee4b3917p-10, 0x1.16f9a1c30c7ecp-10, 0x1.20203f3d376c1p-10, 0x1.2a318f483505cp-10, 0x1.3555e8881089bp-10, 0x1.41bf72a633f36p-10, 0x1.4fad47e1c99eap-10, 0x1.5f6fbb5f8d034p-10, 0x1.716e32ca0e6acp-10, 0x1.862f1272a4a58p-10, 0x1.9e621b13c64b5p-10, 0x1.baecd9ed23935p-10, 0x1.dcf54e9aa68bp-10, 0x1.fc9f10aa13a98p-10, 0x0p+0, 0x1.06eed981d9945p-10},
    {-0x1.3f06af088f5eep-11, -0x1.48c7e49c0a56p-11, -0x1.5371fdc29a215p-11, -0x1.5f2a8208c12abp-11, -0x1.6c1f6d3dc57c5p-11, -0x1.7a89cb1c4259ep-11, -0x1.8ab138bd7801dp-11, -0x1.9cf0ac1848b4cp-11, -0x1.b1bcff62c0e86p-11, -0x1.c9add67a14ceap-11, -0x1.e58960ff8e556p-11, -0x1.0329685cae324p-10, -0x1.16acb4b3751fcp-10, -0x1.315ed74304f78p-10, 0x0p+0, -0x1.360f4ad1e3d26p-11},
    {0x1.7d08f951d8338p-12, 0x1.889400208bc91p-12, 0x1.952ff3f24ae5bp-12, 0x1.a30872b3dff1fp-12, 0x1.b252d023d5201p-12, 0x1.c351127071b3dp-12, 0x1.d655f2943377dp-12, 0x1.ebca4eb340dddp-12, 0x1.021a4fd58b676p-11, 0x1.102191c8fbd05p-11, 0x1.206cb38a2c9e9p-11, 0x1.33909cddd3853p-11, 0x1.4a4e607338c5ap-11, 0x1.634ae680894efp-11, 0x0p+0, 0x1.726aaa7a2f4e7p-12},
    {-0x1.cb7cdfc91579ap-13, -0x1.d94b2312f7177p-13, -0x1.e85d05218b5f5p-13, -0x1.f8e5de5ebc219p-13, -0x1.05922af52860dp-12, -0x1.0fb2ed2058dadp-12, -0x1.1b05a1ebf02dbp-12, -0x1.27c790e178e6ep-12, -0x1.36472ce219966p-12, -0x1.46e9f79132b01p-12, -0x1.5a3463d072017p-12, -0x1.70d3d90ec359cp-12, -0x1.8ba9d5a282e21p-12, -0x1.ad7b89827dacap-12, 0x0p+0, -0x1.bec780a8fbb2bp-13},
    {0x1.17ba2a338af6bp-13, 0x1.2011c8c2a3cc2p-13, 0x1.292b6d08b13c7p-13, 0x1.3325ad19de2b8p-13, 0x1.3e25c9e83b5a5p-13, 0x1.4a59baab8358cp-13, 0x1.57fae57a2d88cp-13, 0x1.6751d06b87695p-13, 0x1.78bb2f31b4dbfp-13, 0x1.8caecba28700bp-13, 0x1.a3c8d0371139cp-13, 0x1.bed5b5b35a8c9p-13, 0x1.dedfe2bb5e19bp-13, 0x1.0203d077a94acp-12, 0x0p+0, 0x1.100b0dc1559cap-13},
    {-0x1.5c7f4c54eb3fap-14, -0x1.66d0931536686p-14, -0x1.720ff71b0b4a9p-14, -0x1.7e62c7501547dp-14, -0x1.8bf65f0a73975p-14, -0x1.9b029db494dep-14, -0x1.abcd2c754dcb7p-14, -0x1.beadeca278dd6p-14, -0x1.d415078dd1085p-14, -0x1.ec933a04e710fp-14, -0x1.04728344c0ae7p-13, -0x1.15009b99f97f2p-13, -0x1.2894ea667cc29p-13, -0x1.406db19cb018cp-13, 0x0p+0, -0x1.52fcf00225864p-14},
    {0x1.ae471c58f0ba6p-15, 0x1.baf01a49e3cd5p-15, 0x1.c8bb5b7acaa4dp-15, 0x1.d7d61f2961d8ap-15, 0x1.e87750aa792cbp-15, 0x1.fae27eaf42c38p-15, 0x1.07b5e36e213aap-14, 0x1.133e9155b3afdp-14, 0x1.204ed32b100e7p-14, 0x1.2f3db658dd613p-14, 0x1.407c826f71824p-14, 0x1.549f7c50fe8bp-14, 0x1.6c6854963b67ep-14, 0x1.887d382a44dc5p-14, 0x0p+0, 0x1.a29a75feba898p-15},
    {-0x1.c6e7e3c393a12p-16, -0x1.d4443ea48b83bp-16, -0x1.e2d2524c10ac6p-16, -0x1.f2c1b0ab69ac4p-16, -0x1.022608064d0efp-15, -0x1.0bdc334b9c971p-15, -0x1.16af827b2defap-15, -0x1.22d7911dd96bep-15, -0x1.309b385b4f046p-15, -0x1.4055c03d303ecp-15, -0x1.527de920288abp-15, -0x1.67af2202defb5p-15, -0x1.80b4951d63c97p-15, -0x1.9ecfd87d87029p-15, 0x0p+0, -0x1.ba955df7c63ffp-16},
    {0x1.1ad7b0ec0c591p-16, 0x1.231ac59e5d909p-16, 0x1.2c19ce5ea4f3p-16, 0x1.35f1e973a8917p-16, 0x1.40c65d0b97a96p-16, 0x1.4cc27a8bc3d3dp-16, 0x1.5a1c1ad746351p-16, 0x1.6916f8c676038p-16, 0x1.7a0945c36e47bp-16, 0x1.8d61f0827a706p-16, 0x1.a3b12acb21605p-16, 0x1.bdb3a10244f1fp-16, 0x1.dc601c6ac96edp-16, 0x1.00640b06e3f4p-15, 0x0p+0, 0x1.133818ab25f95p-16},
    {-0x1.4efac8c92e94ep-16, -0x1.58a4355be4f1ap-16, -0x1.6326742677b57p-16, -0x1.6ea2cc87963e7p-16, -0x1.7b41695ba49dp-16, -0x1.893378e5cf606p-16, -0x1.98b5f2b4f6d88p-16, -0x1.aa1551319dd3fp-16, -0x1.bdb2a565051d8p-16, -0x1.d40a8c0c85b4bp-16, -0x1.edbea83a3e398p-16, -0x1.05d11e27617cfp-15, -0x1.1764ed457eea5p-15, -0x1.2c58051d6aa9bp-15, 0x0p+0, -0x1.460e1174b10a5p-16},
    {0x1.a6163218b3fc3p-17, 0x1.b2352140459f4p-17, 0x1.bf62c3feb943cp-17, 0x1.cdc88453fb63dp-17, 0x1.dd984de26300ep-17, 0x1.ef0f2f2e50fe7p-17, 0x1.013c62bab92cep-16, 0x1.0c19e9952539dp-16, 0x1.185c3fca3c83cp-16, 0x1.26507358ca083p-16, 0x1.365a636f71537p-16, 0x1.48fc89a859af6p-16, 0x1.5ee1c10af8748p-16, 0x1.78e03ea6fb5a4p-16, 0x0p+0, 0x1.9ae2e8a62fdd9p-17},
};
/* log((1+s)/(1-s)) = 2s + s^3 P(s^2) */
/* on [0.0, 0.029437251522859434]; worst error 3.2e-16 */
static const double log_poly[7] = {0x1.5555555555558p-1, 0x1.99999999952e2p-2, 0x1.2492492df148dp-2, 0x1.c71c62e5800a1p-3, 0x1.7462b4ab2ef6bp-3, 0x1.39fe606542ddep-3, 0x1.2b584aae78a57p-3};
/* sin(pi x/2) = x P(x^2), cos(pi x/2) = P(x^2) */
/* on [0.0, 0.25]; worst error 6.1e-17 */
static const double sin_poly[7] = {0x1.921fb54442d18p+0, -0x1.4abbce625be41p-1, 0x1.466bc677587f8p-4, -0x1.32d2cce2e5b19p-8, 0x1.50782fda12d96p-13, -0x1.e30071afc3e59p-19, 0x1.e3f38399551bfp-25};
/* on [0.0, 0.25]; worst error 1.5e-17 */
static const double cos_poly[8] = {0x1p+0, -0x1.3bd3cc9be45dep+0, 0x1.03c1f081b5aacp-2, -0x1.55d3c7e3c90f8p-6, 0x1.e1f5068355e15p-11, -0x1.a6d1ec7906c2p-16, 0x1.f9cc41140bb6p-22, -0x1.b264ba152378ap-28};
