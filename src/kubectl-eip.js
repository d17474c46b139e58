#!/usr/bin/env node
// `kubectl eip …` is `knative-eip eip …`: kubectl runs the program kubectl-eip of the PATH (Kubernetes documentation,
// "Extend kubectl with plugins").
process.argv.splice(2, 0, 'eip');
await import('./bin.js');
