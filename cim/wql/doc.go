// Package wql reads WQL, the query language of WMI, and evaluates it. Each
// kind of query has its parser: [Parse] for data queries, [ParseSchema] for
// queries over classes, [ParseEvent] for event queries and [ParseAssociators]
// for ASSOCIATORS OF and REFERENCES OF. [Bind] and [BindEvent] check a query
// against a class; the Match of what they return decides for one object
// without allocating. The package does no I/O and knows no clock.
//
// See [MS-WMI] 2.2.1 and spec/wmi.md 3.
package wql
