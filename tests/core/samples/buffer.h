struct buffer;
int buffer_init(struct buffer *b, int size);
