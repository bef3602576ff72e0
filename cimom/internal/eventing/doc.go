// Package eventing brings events to those who asked for them: what the object
// manager writes, what event providers emit, what polling finds, and what
// timers fire, to temporary subscriptions and to permanent ones.
//
// A [Hub] has feeds, the places where events come in, and subscriptions, each
// attached to the feeds that can have its events. A feed that polls or that
// runs an event provider lives as long as a subscription is attached to it;
// subscriptions that want the same share it. Publishing matches and appends to
// bounded queues and never waits for a reader.
//
// See spec/wmi.md 3.5 and 5.
package eventing
