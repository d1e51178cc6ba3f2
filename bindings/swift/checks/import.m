// Makes Clang build the module, as Swift would, and look one function of it up.
@import ForerunnerFFI;

uint32_t border(void) {
    return ffi_forerunner_mobile_core_uniffi_contract_version();
}
