-- Names stand apart from the long texts beside them, so that to look at many entries reads few pages.
ALTER TABLE search_entry SET (toast_tuple_target = 128);
