//go:build !unix

package store

// mapped is how many addresses are set aside for the file beyond its size: none,
// because the file would grow with them.
const mapped = 0

// noFollow is nothing where folders with others in them are not shared.
const noFollow = 0
