#!/usr/bin/env node
// The completion of `kubectl eip …`: for a shell, kubectl runs the program kubectl_complete-eip of the PATH with the
// words so far (kubernetes/kubectl pkg/cmd/plugin/plugin_completion.go).
process.argv.splice(2, 0, 'eip', '__complete');
await import('./bin.js');
