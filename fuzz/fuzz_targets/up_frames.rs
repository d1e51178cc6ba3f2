#![no_main]

forerunner_fuzz::fuzz!("up_frames");
