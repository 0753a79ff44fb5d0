#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| syfthub_aggregator::fuzz::citations(data));
