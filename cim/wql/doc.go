// Package wql reads WQL, the query language of WMI, and evaluates it over
// instances: [Parse] makes a [Query], [Bind] checks it against a class, and
// [Bound.Match] decides for one instance without allocating. The package does
// no I/O and knows no clock.
//
// See [MS-WMI] 2.2.1 and spec/wmi.md 3.
package wql
