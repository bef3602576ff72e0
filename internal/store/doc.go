// Package store keeps an ordered set of keys and values in one file, or in
// memory with the same behaviour. Changes are atomic and durable before Update
// returns; readers see a snapshot and never wait for a writer.
//
// The file is a bbolt database with one bucket. What bbolt does not do stands
// here: a damaged file is an error and not a panic, the process that holds the
// file is named, and the file can be replaced as a whole while it is in use.
//
// Damage. Open walks the pages of the file before bbolt sees them. A file whose
// tree cannot be walked safely is refused; one with other damage opens for
// reading only, so that every key outside of the damage stays readable. What is
// met later, a page that is broken or a file that lost its end, fails the
// operation that meets it. All of these errors are ErrDamaged.
//
// The file holds no checksums of values: users of the package bring theirs.
package store
