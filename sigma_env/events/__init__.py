"""Windows event logs in and out: EVTX reader and writer, and the store of events that engines search."""
