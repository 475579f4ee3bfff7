"""Raw rows of any source to tables of one meaning, with both clocks."""
