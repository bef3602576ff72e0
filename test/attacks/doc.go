// Package attacks tries what an attacker would, one test for each, written to be read: who stands where, what they have, what they do, and what
// must not happen. The service is a real one, the attacker has no part of our clients in the way.
package attacks
