using System.Runtime.CompilerServices;

namespace Akvam.Abi;

// The fixed arrays inside structures: U8x16 is sixteen bytes in place. They index as arrays do and convert to Span.

/// <summary>2 bytes in place.</summary>
[InlineArray(2)]
public struct U8x2
{
    private byte _element0;
}

/// <summary>3 bytes in place.</summary>
[InlineArray(3)]
public struct U8x3
{
    private byte _element0;
}

/// <summary>5 bytes in place.</summary>
[InlineArray(5)]
public struct U8x5
{
    private byte _element0;
}

/// <summary>6 bytes in place.</summary>
[InlineArray(6)]
public struct U8x6
{
    private byte _element0;
}

/// <summary>7 bytes in place.</summary>
[InlineArray(7)]
public struct U8x7
{
    private byte _element0;
}

/// <summary>8 bytes in place.</summary>
[InlineArray(8)]
public struct U8x8
{
    private byte _element0;
}

/// <summary>12 bytes in place.</summary>
[InlineArray(12)]
public struct U8x12
{
    private byte _element0;
}

/// <summary>15 bytes in place.</summary>
[InlineArray(15)]
public struct U8x15
{
    private byte _element0;
}

/// <summary>16 bytes in place.</summary>
[InlineArray(16)]
public struct U8x16
{
    private byte _element0;
}

/// <summary>26 bytes in place.</summary>
[InlineArray(26)]
public struct U8x26
{
    private byte _element0;
}

/// <summary>30 bytes in place.</summary>
[InlineArray(30)]
public struct U8x30
{
    private byte _element0;
}

/// <summary>31 bytes in place.</summary>
[InlineArray(31)]
public struct U8x31
{
    private byte _element0;
}

/// <summary>36 bytes in place.</summary>
[InlineArray(36)]
public struct U8x36
{
    private byte _element0;
}

/// <summary>64 bytes in place.</summary>
[InlineArray(64)]
public struct U8x64
{
    private byte _element0;
}

/// <summary>128 bytes in place.</summary>
[InlineArray(128)]
public struct U8x128
{
    private byte _element0;
}

/// <summary>256 bytes in place.</summary>
[InlineArray(256)]
public struct U8x256
{
    private byte _element0;
}

/// <summary>1024 bytes in place.</summary>
[InlineArray(1024)]
public struct U8x1024
{
    private byte _element0;
}

/// <summary>3 16-bit words in place.</summary>
[InlineArray(3)]
public struct U16x3
{
    private ushort _element0;
}

/// <summary>3 32-bit words in place.</summary>
[InlineArray(3)]
public struct U32x3
{
    private uint _element0;
}

/// <summary>4 32-bit words in place.</summary>
[InlineArray(4)]
public struct U32x4
{
    private uint _element0;
}

/// <summary>8 32-bit words in place.</summary>
[InlineArray(8)]
public struct U32x8
{
    private uint _element0;
}

/// <summary>9 32-bit words in place.</summary>
[InlineArray(9)]
public struct U32x9
{
    private uint _element0;
}

/// <summary>11 32-bit words in place.</summary>
[InlineArray(11)]
public struct U32x11
{
    private uint _element0;
}

/// <summary>15 32-bit words in place.</summary>
[InlineArray(15)]
public struct U32x15
{
    private uint _element0;
}

/// <summary>1024 32-bit words in place.</summary>
[InlineArray(1024)]
public struct U32x1024
{
    private uint _element0;
}

/// <summary>2 64-bit words in place.</summary>
[InlineArray(2)]
public struct U64x2
{
    private ulong _element0;
}

/// <summary>3 64-bit words in place.</summary>
[InlineArray(3)]
public struct U64x3
{
    private ulong _element0;
}

/// <summary>4 64-bit words in place.</summary>
[InlineArray(4)]
public struct U64x4
{
    private ulong _element0;
}

/// <summary>6 64-bit words in place.</summary>
[InlineArray(6)]
public struct U64x6
{
    private ulong _element0;
}

/// <summary>8 64-bit words in place.</summary>
[InlineArray(8)]
public struct U64x8
{
    private ulong _element0;
}

/// <summary>9 64-bit words in place.</summary>
[InlineArray(9)]
public struct U64x9
{
    private ulong _element0;
}

/// <summary>14 64-bit words in place.</summary>
[InlineArray(14)]
public struct U64x14
{
    private ulong _element0;
}

/// <summary>16 64-bit words in place.</summary>
[InlineArray(16)]
public struct U64x16
{
    private ulong _element0;
}

/// <summary>24 64-bit words in place.</summary>
[InlineArray(24)]
public struct U64x24
{
    private ulong _element0;
}
