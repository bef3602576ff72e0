// Package dcom is the DCOM Remote Protocol of [MS-DCOM] at both ends: objects of this process that others call, and objects of other machines.
//
// At the bottom are the messages: [ObjRef], [DualStringArray], [ORPCThis] and [ORPCThat], [ActivationProperties], and a request and a response for
// each method of IObjectExporter, IRemoteSCMActivator, IActivation, IRemUnknown2 and IClassFactory. They write and read themselves over
// the stubs of package ndr; lengths are bounded before anything is allocated.
//
// An [Exporter] makes objects callable through a dcerpc.Server, a [Resolver] tells where an exporter is and takes the pings that keep objects alive,
// an [Activator] makes objects of a class by its name. A [Client] activates at another machine, or takes an [ObjRef], and gives a [Proxy] for
// each interface of an object.
package dcom
