// The Android library (AAR). Not run where it was written; `cargo xtask test kotlin` compiles
// the same sources without Gradle, on the JVM.

plugins {
    id("com.android.library") version "8.13.0"
    kotlin("android") version "2.4.20"
}

group = "forerunner"
version = "0.1.0"

android {
    namespace = "forerunner.mobile"
    compileSdk = 36
    defaultConfig {
        // 28: the first with StrongBox, and with keys that answer only while the phone is
        // unlocked (docs/mobile/keys.md). What the generated code itself needs is 24.
        minSdk = 28
        consumerProguardFiles("consumer-rules.pro")
    }
    // scripts/android.sh puts libforerunner_mobile_core.so there, a folder for each ABI.
    sourceSets["main"].jniLibs.srcDirs("build/jniLibs")
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

kotlin { jvmToolchain(17) }

dependencies {
    // The first whose libraries are aligned for pages of 16 KiB, which Android 15 may have.
    api("net.java.dev.jna:jna:5.17.0@aar")
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")
}
