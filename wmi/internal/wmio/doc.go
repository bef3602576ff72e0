// Package wmio turns classes and instances into the octets of [MS-WMIO] and
// back, straight from and into the values of package cim, and many of them at
// once into the packets of [MS-WMI] 2.2.14 and 2.2.16.
//
// A [Codec] remembers the classes that it met, by what they are and by their
// octets: instances share one class, and an instance that goes back to where
// it came from carries the very class part that was received, as [MS-WMIO]
// 2.3.4 demands. What a peer sent is bounded before it costs anything: see
// limits.go.
package wmio
