// Not run where it was written: Gradle fetches its plug-ins from where that machine cannot reach.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "forerunner"
