"""A folder of pictures -> more pictures, with the faces found in them and boxes that follow."""
