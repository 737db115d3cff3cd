"""What the tests share: servers, terminals, the command as a process, tables of cases."""
