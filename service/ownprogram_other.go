//go:build !linux

package service

// ownProgram is for Linux: elsewhere no class needs a provider host.
const ownProgram = "casement"
