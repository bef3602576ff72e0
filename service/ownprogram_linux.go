package service

// ownProgram is the program that runs here, or in the privilege helper, which
// is the same. By this name a user can start it who cannot reach the folder
// that it stands in, and also when its file was replaced since.
const ownProgram = "/proc/self/exe"
