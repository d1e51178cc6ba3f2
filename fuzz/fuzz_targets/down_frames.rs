#![no_main]

forerunner_fuzz::fuzz!("down_frames");
