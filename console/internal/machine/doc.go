// Package machine reads what the pages about one server show, over a
// cim.Session: services, events, disks, roles, users and groups, firewall rules,
// performance, classes and queries. It changes nothing: what changes a server is
// work of the pool.
//
// A server may say anything. Every answer is bounded in rows and in the length
// of its texts; what is left out is told. What a server does not say is nil, "" or
// absent, and never invented.
package machine
