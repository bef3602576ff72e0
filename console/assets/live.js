// One event stream for a tab. Elements with data-live=TOPIC follow a topic; a message
// puts its fields in the elements with data-f=NAME inside of them.
export function follow() {}
