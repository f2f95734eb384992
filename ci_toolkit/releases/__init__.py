"""What is released and when: versions, the rhythm, what is kept, what the notes say. Nothing here reads or writes."""
