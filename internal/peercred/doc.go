// Package peercred asks the system who is at the other end of a local
// connection.
package peercred
