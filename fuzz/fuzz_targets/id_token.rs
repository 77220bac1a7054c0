#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| idaas_login_fuzz::id_token(data));
